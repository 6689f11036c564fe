; test eval
; test canonical
; test plan target=x86-64-v4
; test check

// The border's value is part of the view.
graph pad_slice {
  %x = input : f32[3, 8]
  %p = pad %x { axis = -1, low = 2, high = 1, value = 0.5 }
  %s = slice %p { axis = -1, start = 1, stop = 11, step = 3 }
  %y = neg %s
  return %y
}

; expect eval
;   12 flops
;   %y : f32[3, 4] = -0.50000 -0.89062 -0.62500 -0.50000 -0.50000 0.25000 … norm 2.02674

; expect canonical
;   graph pad_slice {
;     %x = input : f32[3, 8]
;     %s = view %x { map = "[3, 4] of 24: (-1 + i1) in 2 * 3 + 2 + 8*i0 else 0.5" } : f32[3, 4]
;     %y = neg %s : f32[3, 4]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan pad_slice {
;     %y = row [1, 12] reading %x
;   }

; expect check
;   %y within 1e-5 of the reference
