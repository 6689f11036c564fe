; test eval
; test optimize target=x86-64-v4
; test canonical
; test plan target=x86-64-v4
; test check

// Checkpoints store weights as rows of outputs; turning them is work of binding, not of running.
graph transposed_weight {
  %x = input : f32[3, 8]
  %w = weight : f32[5, 8]
  %t = transpose %w { order = [-1, -2] }
  %y = matmul %x, %t
  return %y
}

; expect eval
;   240 flops
;   %y : f32[3, 5] = 1.07104 0.12402 -1.23169 0.11279 0.79980 0.07031 … norm 3.37300

; expect optimize target=x86-64-v4
;   ; %y: 5 e-nodes, 2 iterations, saturated; unchanged
;   graph transposed_weight {
;     %x = input : f32[3, 8]
;     %w = weight : f32[5, 8]
;     %2 = view %w { map = "[8, 5] of 40: 8*i1 + i0" } : f32[8, 5]
;     %y = matmul %x, %2 : f32[3, 5]
;     return %y
;   }

; expect canonical
;   graph transposed_weight {
;     %x = input : f32[3, 8]
;     %w = weight : f32[5, 8]
;     %t = view %w { map = "[8, 5] of 40: 8*i1 + i0" } : f32[8, 5]
;     %y = matmul %x, %t : f32[3, 5]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan transposed_weight {
;     %y = matmul [1, 3, 8] by [8, 5], constant %2 reading %x
;   }

; expect check
;   %y within 1e-5 of the reference
