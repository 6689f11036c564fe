; test raise sites=1
; test check

// Self-attention of SAGAN and DANet on a map with channels first: value times transposed weights.
graph values_from_the_left {
  %x = input : f32[2, 8, 9]
  %query_weight = weight : f32[4, 8]
  %key_weight = weight : f32[4, 8]
  %value_weight = weight : f32[8, 8]
  %q = matmul %query_weight, %x
  %k = matmul %key_weight, %x
  %v = matmul %value_weight, %x
  %qt = transpose %q { order = [-1, -2] }
  %energy = matmul %qt, %k
  %w = softmax %energy { axis = -1 }
  %wt = transpose %w { order = [-1, -2] }
  %o = matmul %v, %wt
  %gamma = weight : f32[1]
  %scaled = mul %gamma, %o
  %y = add %scaled, %x
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
