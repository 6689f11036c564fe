; test raise sites=0
; test check

// The weights are an output too: they are computed once, in memory.
graph weights_are_returned {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %w = softmax %u { axis = -1 }
  %y = matmul %w, %v
  return %w, %y
}

; expect raise sites=0
;   0 of 0 sites are kernels; 0 apart from their scores, 1 exponentials elsewhere

; expect check
;   %w, %y within 1e-5 of the reference
