; test eval
; test optimize target=x86-64-v4
; test plan target=x86-64-v4
; test check

// One scores node serves two softmaxes.
graph both_axes {
  %q = input : f32[2, 9, 8]
  %k = input : f32[2, 9, 8]
  %v = input : f32[2, 9, 8]
  %s = scores %q, %k
  %forward = attend %s, %v { axis = -1 }
  %inverse = attend %s, %v { axis = -2 }
  %y = add %forward, %inverse
  return %y
}

; expect eval
;   9540 flops
;   %y : f32[2, 9, 8] = -0.33083 0.01860 -0.00501 0.37895 -0.22969 -1.06685 … norm 6.91045

; expect optimize target=x86-64-v4
;   ; %y: 9 e-nodes, 1 iteration, saturated; unchanged
;   graph both_axes {
;     %q = input : f32[2, 9, 8]
;     %k = input : f32[2, 9, 8]
;     %v = input : f32[2, 9, 8]
;     %s = scores %q, %k : f32[2, 9, 9]
;     %forward = attend %s, %v { axis = -1 } : f32[2, 9, 8]
;     %inverse = attend %s, %v { axis = -2 } : f32[2, 9, 8]
;     %y = add %forward, %inverse : f32[2, 9, 8]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan both_axes {
;     %y = bidirectional [2, 9, 9] over 8 values reading %v, %q, %k
;   }

; expect check
;   %y within 1e-5 of the reference
