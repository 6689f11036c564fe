; test raise sites=1
; test check

// einsum('bihd,bjhd->bhij') and einsum('bhij,bjhd->bihd'): heads stay in the third place.
graph einsum_split_heads {
  %x = input : f32[2, 6, 8]
  %query_weight = weight : f32[8, 8]
  %query_t = transpose %query_weight { order = [-1, -2] }
  %query_p = matmul %x, %query_t
  %query_bias = weight : f32[8]
  %query_out = add %query_p, %query_bias
  %key_weight = weight : f32[8, 8]
  %key_t = transpose %key_weight { order = [-1, -2] }
  %key_p = matmul %x, %key_t
  %key_bias = weight : f32[8]
  %key_out = add %key_p, %key_bias
  %value_weight = weight : f32[8, 8]
  %value_t = transpose %value_weight { order = [-1, -2] }
  %value_p = matmul %x, %value_t
  %value_bias = weight : f32[8]
  %value_out = add %value_p, %value_bias
  %q0 = reshape %query_out { shape = [2, 6, 2, 4] }
  %k0 = reshape %key_out { shape = [2, 6, 2, 4] }
  %v0 = reshape %value_out { shape = [2, 6, 2, 4] }
  %q = transpose %q0 { order = [-4, -2, -3, -1] }
  %kt = transpose %k0 { order = [-4, -2, -1, -3] }
  %s = matmul %q, %kt
  %scaled = mul %s, 0.5
  %w = softmax %scaled { axis = -1 }
  %v = transpose %v0 { order = [-4, -2, -3, -1] }
  %o = matmul %w, %v
  %back = transpose %o { order = [-4, -2, -3, -1] }
  %y = reshape %back { shape = [2, 6, 8] }
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
