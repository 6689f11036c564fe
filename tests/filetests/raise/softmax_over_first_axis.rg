; test raise sites=1
; test check

// Keys in the rows: the softmax runs over the rows of kqᵀ, and the values come from the left.
graph softmax_over_first_axis {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %qt = transpose %q { order = [-1, -2] }
  %kq = matmul %k, %qt
  %scaled = mul %kq, 0.5
  %w = softmax %scaled { axis = -2 }
  %vt = transpose %v { order = [-1, -2] }
  %yt = matmul %vt, %w
  %y = transpose %yt { order = [-1, -2] }
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
