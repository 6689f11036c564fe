; test raise sites=0
; test check

// The sum that divides the result is that of the next query.
graph sum_normalised_afterwards_by_others {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %e = exp %u
  %sum = reduce %e { op = sum, axis = -1 }
  %next = roll %sum { axis = -2, shift = 1 }
  %z = matmul %e, %v
  %y = div %z, %next
  return %y
}

; expect raise sites=0
;   0 of 0 sites are kernels; 0 apart from their scores, 1 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
