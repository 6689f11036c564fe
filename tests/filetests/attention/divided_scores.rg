; test eval
; test optimize target=x86-64-v4
; test plan target=x86-64-v4
; test check

// Attention with the softmax written out and scores divided by the root of the channels.
graph divided_scores {
  %q = input : f32[2, 9, 16]
  %k = input : f32[2, 9, 16]
  %v = input : f32[2, 9, 16]
  %t = transpose %k { order = [-1, -2] }
  %s = matmul %q, %t
  %u = div %s, 4.0
  %m = reduce %u { op = max, axis = -1 }
  %d = sub %u, %m
  %e = exp %d
  %z = reduce %e { op = sum, axis = -1 }
  %w = div %e, %z
  %y = matmul %w, %v
  return %y
}

; expect eval
;   11340 flops
;   %y : f32[2, 9, 16] = 0.05710 -0.06389 0.13025 0.09745 -0.11415 -0.23104 … norm 3.86277

; expect optimize target=x86-64-v4
;   ; %y: 36 e-nodes, 7 iterations, saturated; softmax-from-shifted-exp, attend, scores, view-of-view, view-in-place
;   graph divided_scores {
;     %q = input : f32[2, 9, 16]
;     %k = input : f32[2, 9, 16]
;     %v = input : f32[2, 9, 16]
;     %s = scores %q, %k : f32[2, 9, 9]
;     %4 = const { value = 4.0 } : f32[2, 9, 9]
;     %u = div %s, %4 : f32[2, 9, 9]
;     %y = attend %u, %v { axis = -1 } : f32[2, 9, 16]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan divided_scores {
;     %y = attend [2, 9, 9] over 16 values reading %v, %q, %k
;   }

; expect check
;   %y within 1e-5 of the reference
