; test raise sites=1
; test check

// einsum('id,jd->ij') and einsum('ij,jd->id') as a product with broadcasting, summed.
graph einsum_as_sums {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %q4 = reshape %q { shape = [2, 6, 1, 4] }
  %k4 = reshape %k { shape = [2, 1, 6, 4] }
  %qk = mul %q4, %k4
  %sums = reduce %qk { op = sum, axis = -1 }
  %s = reshape %sums { shape = [2, 6, 6] }
  %scaled = mul %s, 0.5
  %w = softmax %scaled { axis = -1 }
  %w4 = reshape %w { shape = [2, 6, 6, 1] }
  %v4 = reshape %v { shape = [2, 1, 6, 4] }
  %wv = mul %w4, %v4
  %total = reduce %wv { op = sum, axis = -2 }
  %y = reshape %total { shape = [2, 6, 4] }
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
