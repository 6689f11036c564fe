; test raise sites=1
; test check

// A table of relative positions read at transposed places: no relative bias of this window, but a bias all the same.
graph gather_of_other_index {
  %q = input : f32[2, 4, 4]
  %k = input : f32[2, 4, 4]
  %v = input : f32[2, 4, 4]
  %table = weight : f32[7]
  %i = iota { axis = 0 } : i32[4, 1]
  %j = iota { axis = 1 } : i32[1, 4]
  %d = sub %j, %i
  %at = add %d, 3
  %rows = gather %table, %at
  %half = slice %rows { axis = 0, start = 0, stop = 4, step = 1 }
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %b = add %u, %half
  %w = softmax %b { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
