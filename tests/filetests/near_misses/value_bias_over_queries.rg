; test raise sites=0
; test check

// Columns of inverse attention sum to one, rows do not: the bias of the values stays inside.
graph value_bias_over_queries {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %bias = weight : f32[4]
  %vb = add %v, %bias
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %w = softmax %u { axis = -2 }
  %y = matmul %w, %vb
  return %y
}

; expect raise sites=0
;   0 of 0 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
