; test raise sites=1
; test check

// Strictly causal: the first query sees nothing and gets zeros.
graph mask_without_diagonal {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %row = iota { axis = 0 } : i32[6, 1]
  %column = iota { axis = 1 } : i32[1, 6]
  %seen = lt %column, %row
  %m = select %seen, %u, -inf
  %w = softmax %m { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
