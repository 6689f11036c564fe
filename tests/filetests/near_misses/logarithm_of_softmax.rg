; test raise sites=0
; test check

// log_softmax as weights.
graph logarithm_of_softmax {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %p = softmax %u { axis = -1 }
  %w = log %p
  %y = matmul %w, %v
  return %y
}

; expect raise sites=0
;   0 of 0 sites are kernels; 0 apart from their scores, 1 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
