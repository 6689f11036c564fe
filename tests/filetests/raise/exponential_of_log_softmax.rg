; test raise sites=1
; test check

// exp of log_softmax: the logarithm of the sum is subtracted.
graph exponential_of_log_softmax {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %scaled = mul %s, 0.5
  %largest = reduce %scaled { op = max, axis = -1 }
  %shifted = sub %scaled, %largest
  %e = exp %shifted
  %sum = reduce %e { op = sum, axis = -1 }
  %log_sum = log %sum
  %log_softmax = sub %shifted, %log_sum
  %w = exp %log_softmax
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
