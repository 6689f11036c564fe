; test raise sites=0
; test check

// The sum leaves out what the numerator holds.
graph mask_in_the_sum_only {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %mask = input : f32[6, 6]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %e = exp %u
  %em = mul %e, %mask
  %sum = reduce %em { op = sum, axis = -1 }
  %safe = add %sum, 1.0
  %w = div %e, %safe
  %y = matmul %w, %v
  return %y
}

; expect raise sites=0
;   0 of 0 sites are kernels; 0 apart from their scores, 1 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
