; test raise sites=1
; test check

// Keys are gathered, values are not: the places differ.
graph keys_gathered {
  %q = input : f32[6, 4]
  %k0 = input : f32[6, 4]
  %v = input : f32[4, 4]
  %index = input : i32[4]
  %k = gather %k0, %index
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %w = softmax %u { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
