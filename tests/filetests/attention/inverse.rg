; test eval
; test optimize target=x86-64-v4
; test canonical
; test plan target=x86-64-v4
; test check

// Softmax over queries: each key spreads one unit of weight over all queries.
graph inverse {
  %q = input : f32[2, 9, 8]
  %k = input : f32[2, 7, 8]
  %v = input : f32[2, 7, 8]
  %s = scores %q, %k
  %y = attend %s, %v { axis = -2 }
  return %y
}

; expect eval
;   4662 flops
;   %y : f32[2, 9, 8] = -0.21035 0.26889 -0.18375 0.01535 -0.11130 -0.48065 … norm 3.04527

; expect optimize target=x86-64-v4
;   ; %y: 6 e-nodes, 1 iteration, saturated; unchanged
;   graph inverse {
;     %q = input : f32[2, 9, 8]
;     %k = input : f32[2, 7, 8]
;     %v = input : f32[2, 7, 8]
;     %s = scores %q, %k : f32[2, 9, 7]
;     %y = attend %s, %v { axis = -2 } : f32[2, 9, 8]
;     return %y
;   }

; expect canonical
;   graph inverse {
;     %q = input : f32[2, 9, 8]
;     %k = input : f32[2, 7, 8]
;     %v = input : f32[2, 7, 8]
;     %s = scores %q, %k : f32[2, 9, 7]
;     %y = attend %s, %v { axis = -2 } : f32[2, 9, 8]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan inverse {
;     %y = inverse [2, 9, 7] over 8 values reading %v, %q, %k
;   }

; expect check
;   %y within 1e-5 of the reference
