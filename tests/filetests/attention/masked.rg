; test eval
; test optimize target=x86-64-v4
; test plan target=x86-64-v4
; test check

// A causal mask, computed from positions.
graph masked {
  %q = input : f32[2, 6, 8]
  %k = input : f32[2, 6, 8]
  %v = input : f32[2, 6, 8]
  %row = iota { axis = 0 } : i32[6, 1]
  %column = iota { axis = 1 } : i32[1, 6]
  %seen = le %column, %row
  %mask = select %seen, 0.0, -100.0
  %s = scores %q, %k
  %u = add %s, %mask
  %y = attend %u, %v { axis = -1 }
  return %y
}

; expect eval
;   2736 flops
;   %y : f32[2, 6, 8] = 0.26562 0.26562 -0.48438 0.59375 0.34375 -0.90625 … norm 4.01961

; expect optimize target=x86-64-v4
;   ; %y: 10 e-nodes, 2 iterations, saturated; unchanged
;   graph masked {
;     %q = input : f32[2, 6, 8]
;     %k = input : f32[2, 6, 8]
;     %v = input : f32[2, 6, 8]
;     %row = iota { axis = 0 } : i32[6, 1]
;     %column = iota { axis = 1 } : i32[1, 6]
;     %5 = view %column { map = "[6, 6] of 6: i1" } : i32[6, 6]
;     %6 = view %row { map = "[6, 6] of 6: i0" } : i32[6, 6]
;     %seen = le %5, %6 : bool[6, 6]
;     %8 = const { value = 0.0 } : f32[6, 6]
;     %9 = const { value = -100.0 } : f32[6, 6]
;     %mask = select %seen, %8, %9 : f32[6, 6]
;     %s = scores %q, %k : f32[2, 6, 6]
;     %12 = view %mask { map = "[2, 6, 6] of 36: 6*i1 + i2" } : f32[2, 6, 6]
;     %u = add %s, %12 : f32[2, 6, 6]
;     %y = attend %u, %v { axis = -1 } : f32[2, 6, 8]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan masked {
;     %y = attend [2, 6, 6] over 8 values reading %mask, %v, %q, %k
;   }

; expect check
;   %y within 1e-5 of the reference
