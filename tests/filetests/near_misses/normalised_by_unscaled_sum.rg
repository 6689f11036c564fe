; test raise sites=0
; test check

// Numerator with the scale, sum without.
graph normalised_by_unscaled_sum {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %e = exp %u
  %f = exp %s
  %sum = reduce %f { op = sum, axis = -1 }
  %w = div %e, %sum
  %y = matmul %w, %v
  return %y
}

; expect raise sites=0
;   0 of 0 sites are kernels; 0 apart from their scores, 2 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
