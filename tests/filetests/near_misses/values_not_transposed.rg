; test raise sites=0
; test check

// Channels first, as many channels as tokens, and the weights are not transposed.
graph values_not_transposed {
  %q = input : f32[2, 4, 4]
  %k = input : f32[2, 4, 4]
  %v = input : f32[2, 4, 4]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %w = softmax %u { axis = -1 }
  %y = matmul %v, %w
  return %y
}

; expect raise sites=0
;   0 of 0 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
