; test raise sites=2
; test check

// Each head by slices of its channels, an attention of its own, joined by concatenation.
graph heads_by_slices {
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
  %q0 = slice %query_out { axis = -1, start = 0, stop = 4, step = 1 }
  %k0 = slice %key_out { axis = -1, start = 0, stop = 4, step = 1 }
  %v0 = slice %value_out { axis = -1, start = 0, stop = 4, step = 1 }
  %kt0 = transpose %k0 { order = [-1, -2] }
  %s0 = matmul %q0, %kt0
  %u0 = mul %s0, 0.5
  %w0 = softmax %u0 { axis = -1 }
  %y0 = matmul %w0, %v0
  %q1 = slice %query_out { axis = -1, start = 4, stop = 8, step = 1 }
  %k1 = slice %key_out { axis = -1, start = 4, stop = 8, step = 1 }
  %v1 = slice %value_out { axis = -1, start = 4, stop = 8, step = 1 }
  %kt1 = transpose %k1 { order = [-1, -2] }
  %s1 = matmul %q1, %kt1
  %u1 = mul %s1, 0.5
  %w1 = softmax %u1 { axis = -1 }
  %y1 = matmul %w1, %v1
  %y = concat %y0, %y1 { axis = -1 }
  return %y
}

; expect raise sites=2
;   2 of 2 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
