; test raise sites=1
; test check

// Swin v2: cosine of queries and keys, a learned scale per head that is clamped, then the bias.
graph swin_v2_cosine {
  %x = input : f32[2, 6, 8]
  %query_weight = weight : f32[8, 8]
  %query_t = transpose %query_weight { order = [-1, -2] }
  %query_p = matmul %x, %query_t
  %query_bias = weight : f32[8]
  %query_out = add %query_p, %query_bias
  %q_view = reshape %query_out { shape = [2, 6, 2, 4] }
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
  %qq = mul %q, %q
  %q2 = reduce %qq { op = sum, axis = -1 }
  %q_norm = sqrt %q2
  %q_safe = max %q_norm, 1e-12
  %q_unit = div %q, %q_safe
  %kk = mul %k, %k
  %k2 = reduce %kk { op = sum, axis = -1 }
  %k_norm = sqrt %k2
  %k_safe = max %k_norm, 1e-12
  %k_unit = div %k, %k_safe
  %kt = transpose %k_unit { order = [-1, -2] }
  %s = matmul %q_unit, %kt
  %logit_scale = weight : f32[2, 1, 1]
  %clamped = min %logit_scale, 4.6052
  %scale = exp %clamped
  %scaled = mul %s, %scale
  %table = weight : f32[2, 6, 6]
  %g = sigmoid %table
  %bias = mul %g, 16.0
  %biased = add %scaled, %bias
  %w = softmax %biased { axis = -1 }
  %o = matmul %w, %v
  %merged_view = transpose %o { order = [-4, -2, -3, -1] }
  %merged = reshape %merged_view { shape = [2, 6, 8] }
  %proj_weight = weight : f32[8, 8]
  %proj_t = transpose %proj_weight { order = [-1, -2] }
  %proj_p = matmul %merged, %proj_t
  %proj_bias = weight : f32[8]
  %proj_out = add %proj_p, %proj_bias
  return %proj_out
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 1 exponentials elsewhere

; expect check
;   %proj_out within 1e-5 of the reference
