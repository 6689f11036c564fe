; test raise sites=0
; test check

// The sum is that of other scores.
graph normalised_by_another_sum {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %other = input : f32[2, 6, 6]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %e = exp %u
  %f = exp %other
  %sum = reduce %f { op = sum, axis = -1 }
  %w = div %e, %sum
  %y = matmul %w, %v
  return %y
}

; expect raise sites=0
;   0 of 0 sites are kernels; 0 apart from their scores, 2 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
