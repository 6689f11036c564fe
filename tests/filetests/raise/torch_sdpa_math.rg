; test raise sites=1
; test check

// PyTorch's scaled_dot_product_attention, decomposed: the root of the scale on both sides.
graph torch_sdpa_math {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %q_scaled = mul %q, 0.7071067811865476
  %kt = transpose %k { order = [-1, -2] }
  %kt_scaled = mul %kt, 0.7071067811865476
  %s = matmul %q_scaled, %kt_scaled
  %w = softmax %s { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
