; test raise sites=0
; test check

// Scores by squared distance, no product.
graph scores_by_distance {
  %q = input : f32[2, 6, 1, 4]
  %k = input : f32[2, 1, 6, 4]
  %v = input : f32[2, 6, 4]
  %d = sub %q, %k
  %dd = mul %d, %d
  %sums = reduce %dd { op = sum, axis = -1 }
  %n = neg %sums
  %u = reshape %n { shape = [2, 6, 6] }
  %w = softmax %u { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=0
;   0 of 0 sites are kernels; 1 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
