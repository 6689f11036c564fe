; test raise sites=1
; test check

// CaiT's class attention: one query, separate projections.
graph timm_class_attention {
  %x = input : f32[2, 6, 8]
  %class = slice %x { axis = 1, start = 0, stop = 1, step = 1 }
  %query_weight = weight : f32[8, 8]
  %query_t = transpose %query_weight { order = [-1, -2] }
  %query_p = matmul %class, %query_t
  %query_bias = weight : f32[8]
  %query_out = add %query_p, %query_bias
  %q_view = reshape %query_out { shape = [2, 1, 2, 4] }
  %q = transpose %q_view { order = [-4, -2, -3, -1] }
  %key_weight = weight : f32[8, 8]
  %key_t = transpose %key_weight { order = [-1, -2] }
  %key_p = matmul %x, %key_t
  %key_bias = weight : f32[8]
  %key_out = add %key_p, %key_bias
  %k_view = reshape %key_out { shape = [2, 6, 2, 4] }
  %k = transpose %k_view { order = [-4, -2, -3, -1] }
  %value_weight = weight : f32[8, 8]
  %value_t = transpose %value_weight { order = [-1, -2] }
  %value_p = matmul %x, %value_t
  %value_bias = weight : f32[8]
  %value_out = add %value_p, %value_bias
  %v_view = reshape %value_out { shape = [2, 6, 2, 4] }
  %v = transpose %v_view { order = [-4, -2, -3, -1] }
  %q_scaled = mul %q, 0.5
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q_scaled, %kt
  %w = softmax %s { axis = -1 }
  %o = matmul %w, %v
  %merged_view = transpose %o { order = [-4, -2, -3, -1] }
  %merged = reshape %merged_view { shape = [2, 1, 8] }
  %proj_weight = weight : f32[8, 8]
  %proj_t = transpose %proj_weight { order = [-1, -2] }
  %proj_p = matmul %merged, %proj_t
  %proj_bias = weight : f32[8]
  %proj_out = add %proj_p, %proj_bias
  return %proj_out
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %proj_out within 1e-5 of the reference
