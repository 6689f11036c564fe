; test raise sites=1
; test check

// LeViT between stages: queries on every second token of a map, more keys than queries.
graph levit_subsample {
  %x = input : f32[2, 9, 8]
  %map = reshape %x { shape = [2, 3, 3, 8] }
  %even_rows = slice %map { axis = 1, start = 0, stop = 3, step = 2 }
  %even = slice %even_rows { axis = 2, start = 0, stop = 3, step = 2 }
  %few = reshape %even { shape = [2, 4, 8] }
  %query_weight = weight : f32[8, 8]
  %query_t = transpose %query_weight { order = [-1, -2] }
  %query_p = matmul %few, %query_t
  %query_bias = weight : f32[8]
  %query_out = add %query_p, %query_bias
  %q_view = reshape %query_out { shape = [2, 4, 2, 4] }
  %q = transpose %q_view { order = [-4, -2, -3, -1] }
  %key_weight = weight : f32[8, 8]
  %key_t = transpose %key_weight { order = [-1, -2] }
  %key_p = matmul %x, %key_t
  %key_bias = weight : f32[8]
  %key_out = add %key_p, %key_bias
  %k_view = reshape %key_out { shape = [2, 9, 2, 4] }
  %k = transpose %k_view { order = [-4, -2, -3, -1] }
  %value_weight = weight : f32[16, 8]
  %value_t = transpose %value_weight { order = [-1, -2] }
  %value_p = matmul %x, %value_t
  %value_bias = weight : f32[16]
  %value_out = add %value_p, %value_bias
  %v_view = reshape %value_out { shape = [2, 9, 2, 8] }
  %v = transpose %v_view { order = [-4, -2, -3, -1] }
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %scaled = mul %s, 0.5
  %biases = weight : f32[2, 4, 9]
  %biased = add %scaled, %biases
  %w = softmax %biased { axis = -1 }
  %o = matmul %w, %v
  %back = transpose %o { order = [-4, -2, -3, -1] }
  %y = reshape %back { shape = [2, 4, 16] }
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
