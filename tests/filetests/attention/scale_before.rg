; test eval
; test optimize target=x86-64-v4
; test canonical
; test plan target=x86-64-v4
; test check

// The queries are scaled before the product.
graph scale_before {
  %q = input : f32[2, 9, 8]
  %k = input : f32[2, 9, 8]
  %v = input : f32[2, 9, 8]
  %p = mul %q, 0.353553
  %s = scores %p, %k
  %y = attend %s, %v { axis = -1 }
  return %y
}

; expect eval
;   6138 flops
;   %y : f32[2, 9, 8] = -0.18479 0.03950 0.00159 0.08558 -0.10137 -0.34671 … norm 3.12996

; expect optimize target=x86-64-v4
;   ; %y: 14 e-nodes, 2 iterations, saturated; unchanged
;   graph scale_before {
;     %q = input : f32[2, 9, 8]
;     %k = input : f32[2, 9, 8]
;     %v = input : f32[2, 9, 8]
;     %3 = const { value = 0.353553 } : f32[2, 9, 8]
;     %p = mul %q, %3 : f32[2, 9, 8]
;     %s = scores %p, %k : f32[2, 9, 9]
;     %y = attend %s, %v { axis = -1 } : f32[2, 9, 8]
;     return %y
;   }

; expect canonical
;   graph scale_before {
;     %q = input : f32[2, 9, 8]
;     %k = input : f32[2, 9, 8]
;     %v = input : f32[2, 9, 8]
;     %3 = const { value = 0.353553 } : f32[2, 9, 8]
;     %p = mul %q, %3 : f32[2, 9, 8]
;     %s = scores %p, %k : f32[2, 9, 9]
;     %y = attend %s, %v { axis = -1 } : f32[2, 9, 8]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan scale_before {
;     %y = attend [2, 9, 9] over 8 values reading %v, %q, %k
;   }

; expect check
;   %y within 1e-5 of the reference
