; test raise sites=1
; test check

// einsum as exporters lower it: batch axes merged into one, products of three axes.
graph einsum_as_batched_products {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %q3 = reshape %q { shape = [4, 6, 4] }
  %kt = transpose %k { order = [-4, -3, -1, -2] }
  %k3 = reshape %kt { shape = [4, 4, 6] }
  %s3 = matmul %q3, %k3
  %s = reshape %s3 { shape = [2, 2, 6, 6] }
  %scaled = div %s, 2.0
  %w = softmax %scaled { axis = 3 }
  %w3 = reshape %w { shape = [4, 6, 6] }
  %v3 = reshape %v { shape = [4, 6, 4] }
  %o3 = matmul %w3, %v3
  %y = reshape %o3 { shape = [2, 2, 6, 4] }
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
