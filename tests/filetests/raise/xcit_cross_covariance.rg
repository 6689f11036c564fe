; test raise sites=1
; test check

// XCiT: queries and keys are channels, normalised over tokens, with a temperature per head.
graph xcit_cross_covariance {
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
  %qc = transpose %q { order = [-1, -2] }
  %kc = transpose %k { order = [-1, -2] }
  %vc = transpose %v { order = [-1, -2] }
  %qq = mul %qc, %qc
  %q2 = reduce %qq { op = sum, axis = -1 }
  %q_norm = sqrt %q2
  %q_safe = max %q_norm, 1e-12
  %q_unit = div %qc, %q_safe
  %kk = mul %kc, %kc
  %k2 = reduce %kk { op = sum, axis = -1 }
  %k_norm = sqrt %k2
  %k_safe = max %k_norm, 1e-12
  %k_unit = div %kc, %k_safe
  %kt = transpose %k_unit { order = [-1, -2] }
  %s = matmul %q_unit, %kt
  %temperature = weight : f32[2, 1, 1]
  %scaled = mul %s, %temperature
  %w = softmax %scaled { axis = -1 }
  %o = matmul %w, %vc
  %back = transpose %o { order = [-4, -1, -3, -2] }
  %y = reshape %back { shape = [2, 6, 8] }
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
