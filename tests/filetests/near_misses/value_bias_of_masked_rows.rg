; test raise sites=1
; test check

// Weights of a fully masked query sum to zero: a bias of the values does not reach its result.
graph value_bias_of_masked_rows {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %mask = input : bool[2, 6, 1]
  %bias = weight : f32[4]
  %vb = add %v, %bias
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %m = select %mask, %u, -inf
  %w = softmax %m { axis = -1 }
  %y = matmul %w, %vb
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
