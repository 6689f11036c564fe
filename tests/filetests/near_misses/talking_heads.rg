; test raise sites=0
; test check

// Weights of the heads are mixed between softmax and values.
graph talking_heads {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %mix = weight : f32[2, 2]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %p = softmax %u { axis = -1 }
  %pt = transpose %p { order = [-4, -2, -1, -3] }
  %mixed = matmul %pt, %mix
  %w = transpose %mixed { order = [-4, -1, -3, -2] }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=0
;   0 of 0 sites are kernels; 1 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
