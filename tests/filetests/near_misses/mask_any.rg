; test raise sites=1
; test check

// A mask of any pattern is not a causal mask: it stays what it is.
graph mask_any {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %mask = input : bool[6, 6]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %m = select %mask, %u, -inf
  %w = softmax %m { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
