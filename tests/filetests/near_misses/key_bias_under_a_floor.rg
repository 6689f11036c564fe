; test raise sites=1
; test check

// Scores are clamped from below: the softmax sees a key's bias again.
graph key_bias_under_a_floor {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %bias = weight : f32[4]
  %kb = add %k, %bias
  %kt = transpose %kb { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = max %s, -0.5
  %w = softmax %u { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
