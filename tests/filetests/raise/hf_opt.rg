; test raise sites=1
; test check

// OPT of Hugging Face: scaled query, heads folded into the batch, unfolded for the mask, clamped from below.
graph hf_opt {
  %x = input : f32[2, 6, 8]
  %query_weight = weight : f32[8, 8]
  %query_t = transpose %query_weight { order = [-1, -2] }
  %query_p = matmul %x, %query_t
  %query_bias = weight : f32[8]
  %query_out = add %query_p, %query_bias
  %query_scaled = mul %query_out, 0.5
  %q4_view = reshape %query_scaled { shape = [2, 6, 2, 4] }
  %q4 = transpose %q4_view { order = [-4, -2, -3, -1] }
  %key_weight = weight : f32[8, 8]
  %key_t = transpose %key_weight { order = [-1, -2] }
  %key_p = matmul %x, %key_t
  %key_bias = weight : f32[8]
  %key_out = add %key_p, %key_bias
  %k4_view = reshape %key_out { shape = [2, 6, 2, 4] }
  %k4 = transpose %k4_view { order = [-4, -2, -3, -1] }
  %value_weight = weight : f32[8, 8]
  %value_t = transpose %value_weight { order = [-1, -2] }
  %value_p = matmul %x, %value_t
  %value_bias = weight : f32[8]
  %value_out = add %value_p, %value_bias
  %v4_view = reshape %value_out { shape = [2, 6, 2, 4] }
  %v4 = transpose %v4_view { order = [-4, -2, -3, -1] }
  %q = reshape %q4 { shape = [4, 6, 4] }
  %k = reshape %k4 { shape = [4, 6, 4] }
  %v = reshape %v4 { shape = [4, 6, 4] }
  %kt = transpose %k { order = [-1, -2] }
  %s3 = matmul %q, %kt
  %mask = input : f32[2, 1, 6, 6]
  %s4 = reshape %s3 { shape = [2, 2, 6, 6] }
  %masked = add %s4, %mask
  %clamped = max %masked, -3.4028234663852886e38
  %flat = reshape %clamped { shape = [4, 6, 6] }
  %w = softmax %flat { axis = -1 }
  %o3 = matmul %w, %v
  %o = reshape %o3 { shape = [2, 2, 6, 4] }
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
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %proj_out within 1e-5 of the reference
