; test raise sites=1
; test check

// The softmax over the rows of kqᵀ, transposed before it meets the values.
graph softmax_over_rows_transposed_back {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %qt = transpose %q { order = [-1, -2] }
  %kq = matmul %k, %qt
  %scaled = mul %kq, 0.5
  %w = softmax %scaled { axis = 1 }
  %wt = transpose %w { order = [-1, -2] }
  %y = matmul %wt, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
