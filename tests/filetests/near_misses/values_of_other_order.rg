; test raise sites=1
; test check

// The values are rolled along the tokens.
graph values_of_other_order {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %w = softmax %u { axis = -1 }
  %r = roll %v { axis = -2, shift = 1 }
  %y = matmul %w, %r
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
