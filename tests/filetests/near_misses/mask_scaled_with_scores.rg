; test raise sites=1
; test check

// The scale meets the mask too: half of −10, not −10.
graph mask_scaled_with_scores {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %mask = input : f32[2, 1, 6]
  %bias = mul %mask, -10.0
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %b = add %s, %bias
  %u = mul %b, 0.5
  %w = softmax %u { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
