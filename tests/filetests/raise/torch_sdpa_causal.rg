; test raise sites=1
; test check

// PyTorch's scaled_dot_product_attention with is_causal: a bias of zeros, minus infinity above the diagonal.
graph torch_sdpa_causal {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %row = iota { axis = 0 } : i32[6, 1]
  %column = iota { axis = 1 } : i32[1, 6]
  %seen = le %column, %row
  %bias = select %seen, 0.0, -inf
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %scaled = mul %s, 0.5
  %masked = add %scaled, %bias
  %w = softmax %masked { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
