; test raise sites=1
; test check

// A term that differs from key to key is not a key bias of the kind that softmax does not see.
graph key_bias_that_differs {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %positions = weight : f32[6, 4]
  %kp = add %k, %positions
  %kt = transpose %kp { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %w = softmax %u { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
