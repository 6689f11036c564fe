; test raise sites=0
; test check

// The maximum over queries is subtracted, the sum runs over keys: the same value in real numbers, but nobody may assume
// that the exponentials are at most 1.
graph maximum_over_queries {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %largest = reduce %u { op = max, axis = -2 }
  %shifted = sub %u, %largest
  %e = exp %shifted
  %sum = reduce %e { op = sum, axis = -1 }
  %w = div %e, %sum
  %y = matmul %w, %v
  return %y
}

; expect raise sites=0
;   0 of 0 sites are kernels; 1 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
