; test check

// Scale and shift of the norm reach the weights, and so do the weights of the second product.
graph f16_norm_and_products {
  %x = input : f16[9, 24]
  %g = weight : f16[24]
  %b = weight : f16[24]
  %n = layer_norm %x, %g, %b { eps = 1e-5 }
  %w1 = weight : f16[24, 40]
  %p = matmul %n, %w1
  %w2 = weight : f16[40, 7]
  %q = matmul %p, %w2
  %s = weight : f32[7]
  %y = mul %q, %s
  return %y
}

; expect check
;   %y within 1e-5 of the reference
