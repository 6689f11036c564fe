; test eval
; test optimize target=x86-64-v4
; test canonical
; test plan target=x86-64-v4
; test check

graph concat {
  %a = input : f32[2, 3]
  %b = input : f32[2, 4]
  %y = concat %a, %b { axis = -1 }
  return %y
}

; expect eval
;   0 flops
;   %y : f32[2, 7] = -0.03125 0.15625 0.89062 -0.31250 -0.15625 0.98438 … norm 1.91857

; expect optimize target=x86-64-v4
;   ; %y: 8 e-nodes, 2 iterations, saturated; unchanged
;   graph concat {
;     %a = input : f32[2, 3]
;     %b = input : f32[2, 4]
;     %2 = iota { axis = -1 } : i32[2, 7]
;     %3 = const { value = 3.0 } : i32[2, 7]
;     %4 = le %3, %2 : bool[2, 7]
;     %5 = view %b { map = "[2, 7] of 8: (-3 + i1) in 4 * 1 + 4*i0 else 0.0" } : f32[2, 7]
;     %6 = view %a { map = "[2, 7] of 6: (i1) in 3 * 1 + 3*i0 else 0.0" } : f32[2, 7]
;     %y = select %4, %5, %6 : f32[2, 7]
;     return %y
;   }

; expect canonical
;   graph concat {
;     %a = input : f32[2, 3]
;     %b = input : f32[2, 4]
;     %2 = iota { axis = -1 } : i32[2, 7]
;     %3 = view %a { map = "[2, 7] of 6: (i1) in 3 * 1 + 3*i0 else 0.0" } : f32[2, 7]
;     %4 = view %b { map = "[2, 7] of 8: (-3 + i1) in 4 * 1 + 4*i0 else 0.0" } : f32[2, 7]
;     %5 = const { value = 3.0 } : i32[2, 7]
;     %6 = le %5, %2 : bool[2, 7]
;     %y = select %6, %4, %3 : f32[2, 7]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan concat {
;     %y = row [1, 14] reading %4, %b, %a
;   }

; expect check
;   %y within 1e-5 of the reference
