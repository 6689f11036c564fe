; test raise sites=1
; test check

// PyTorch's scaled_dot_product_attention with a mask of truth values from outside; a query that sees nothing gets
// zeros.
graph torch_sdpa_bool_mask {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %mask = input : bool[2, 1, 6, 6]
  %hidden = not %mask
  %bias = select %hidden, -inf, 0.0
  %q_scaled = mul %q, 0.7071067811865476
  %kt = transpose %k { order = [-1, -2] }
  %kt_scaled = mul %kt, 0.7071067811865476
  %s = matmul %q_scaled, %kt_scaled
  %masked = add %s, %bias
  %w = softmax %masked { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
