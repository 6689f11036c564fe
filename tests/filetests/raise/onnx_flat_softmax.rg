; test raise sites=1
; test check

// Softmax of opset 11: everything before the axis is flattened first.
graph onnx_flat_softmax {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %scaled = mul %s, 0.5
  %flat = reshape %scaled { shape = [24, 6] }
  %w2 = softmax %flat { axis = 1 }
  %w = reshape %w2 { shape = [2, 2, 6, 6] }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
