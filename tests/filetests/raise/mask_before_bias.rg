; test raise sites=1
; test check

// First the mask by where, then a bias, then another mask by addition.
graph mask_before_bias {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %mask = input : bool[2, 1, 1, 6]
  %bias = weight : f32[2, 6, 6]
  %padding = input : f32[2, 1, 1, 6]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %scaled = mul %s, 0.5
  %seen = select %mask, %scaled, -1e4
  %biased = add %seen, %bias
  %masked = add %biased, %padding
  %w = softmax %masked { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
