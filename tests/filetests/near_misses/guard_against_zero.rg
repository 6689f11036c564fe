; test raise sites=0
; test check

// Weights that equal zero are replaced, not those that are no number.
graph guard_against_zero {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %keep = input : bool[2, 1, 1, 6]
  %kt = transpose %k { order = [-4, -3, -1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %m = select %keep, %u, -inf
  %w = softmax %m { axis = -1 }
  %none = eq %w, 0.0
  %z = select %none, 0.01, %w
  %y = matmul %z, %v
  return %y
}

; expect raise sites=0
;   0 of 0 sites are kernels; 0 apart from their scores, 1 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
