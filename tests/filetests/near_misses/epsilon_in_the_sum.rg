; test raise sites=0
; test check

// A small number in the denominator: weights that do not sum to one.
graph epsilon_in_the_sum {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %largest = reduce %u { op = max, axis = -1 }
  %shifted = sub %u, %largest
  %e = exp %shifted
  %sum = reduce %e { op = sum, axis = -1 }
  %safe = add %sum, 1e-3
  %w = div %e, %safe
  %y = matmul %w, %v
  return %y
}

; expect raise sites=0
;   0 of 0 sites are kernels; 0 apart from their scores, 1 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
