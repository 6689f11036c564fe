; test raise sites=0
; test check

// einsum('id,jd->ij') with the wrong letter: summed over the queries.
graph products_summed_over_tokens {
  %q = input : f32[2, 6, 1, 6]
  %k = input : f32[2, 1, 6, 6]
  %v = input : f32[2, 6, 4]
  %p = mul %q, %k
  %sums = reduce %p { op = sum, axis = 1 }
  %u = reshape %sums { shape = [2, 6, 6] }
  %w = softmax %u { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=0
;   0 of 0 sites are kernels; 1 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
