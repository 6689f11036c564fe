; test raise sites=1
; test check

// nn.MultiheadAttention: one packed projection, time first, heads folded into the batch.
graph torch_multihead_packed {
  %x = input : f32[6, 2, 8]
  %in_proj_weight = weight : f32[24, 8]
  %in_proj_t = transpose %in_proj_weight { order = [-1, -2] }
  %in_proj_p = matmul %x, %in_proj_t
  %in_proj_bias = weight : f32[24]
  %in_proj_out = add %in_proj_p, %in_proj_bias
  %parts = reshape %in_proj_out { shape = [6, 2, 3, 8] }
  %apart = transpose %parts { order = [-2, -4, -3, -1] }
  %q0 = slice %apart { axis = 0, start = 0, stop = 1, step = 1 }
  %k0 = slice %apart { axis = 0, start = 1, stop = 2, step = 1 }
  %v0 = slice %apart { axis = 0, start = 2, stop = 3, step = 1 }
  %q1 = reshape %q0 { shape = [6, 4, 4] }
  %k1 = reshape %k0 { shape = [6, 4, 4] }
  %v1 = reshape %v0 { shape = [6, 4, 4] }
  %q = transpose %q1 { order = [-2, -3, -1] }
  %k = transpose %k1 { order = [-2, -3, -1] }
  %v = transpose %v1 { order = [-2, -3, -1] }
  %q_scaled = mul %q, 0.5
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q_scaled, %kt
  %w = softmax %s { axis = -1 }
  %o = matmul %w, %v
  %back = transpose %o { order = [-2, -3, -1] }
  %merged = reshape %back { shape = [12, 8] }
  %out_proj_weight = weight : f32[8, 8]
  %out_proj_t = transpose %out_proj_weight { order = [-1, -2] }
  %out_proj_p = matmul %merged, %out_proj_t
  %out_proj_bias = weight : f32[8]
  %out_proj_out = add %out_proj_p, %out_proj_bias
  %y = reshape %out_proj_out { shape = [6, 2, 8] }
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
