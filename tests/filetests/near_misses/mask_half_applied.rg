; test raise sites=1
; test check

// Only the first of two heads is masked.
graph mask_half_applied {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %mask = input : bool[1, 1, 6, 6]
  %head = iota { axis = 1 } : i32[1, 2, 1, 1]
  %first = lt %head, 1
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %hidden = select %mask, %u, -1e4
  %m = select %first, %hidden, %u
  %w = softmax %m { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
