; test raise sites=0
; test check

// Linear attention: scores as weights.
graph no_exponential {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %y = matmul %u, %v
  return %y
}

; expect raise sites=0
;   0 of 0 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
