; test raise sites=1
; test check

// The fourth root of the width divides queries and keys.
graph key_scaled_by_root_of_root {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %q_scaled = div %q, 1.4142135623730951
  %k_scaled = div %k, 1.4142135623730951
  %kt = transpose %k_scaled { order = [-1, -2] }
  %s = matmul %q_scaled, %kt
  %w = softmax %s { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
